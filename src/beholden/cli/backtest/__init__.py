"""`beholden backtest …`: Rules tried on recorded days."""
