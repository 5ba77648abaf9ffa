"""The door of the storefront: rankings, scores and reasons over HTTP."""
