"""What a user asks for, as plain functions: fetch, plan, prepare, train, forecast, evaluate, walk forward."""
