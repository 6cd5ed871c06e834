"""What published numbers count: conventions, and the rules of the counters behind them."""
