"""The serving app: the live rankings, a list ranked now, and the explanation of a product's rank, over HTTP."""
