"""Running a subject: inputs, weights, clips and streams. Nothing here knows a tolerance."""
