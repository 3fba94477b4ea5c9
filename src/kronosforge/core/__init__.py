"""What every stage shares: bars, candles, errors, files, messages. Imports no stage."""
