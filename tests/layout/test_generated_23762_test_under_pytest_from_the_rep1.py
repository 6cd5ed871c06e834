def test_name():
    import continual

    print("\nFOUND", continual.__file__)
