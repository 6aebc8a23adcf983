"""What was spent at providers: the ledger of every paid call, and the budgets that are checked before one is made."""
