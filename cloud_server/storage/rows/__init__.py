"""The statements, one module a subject. Each function is part of a transaction, and knows no rule but the table's."""
