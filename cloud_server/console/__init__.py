"""The operator's console: pages in a browser, beside the operator plane's API; each works without JavaScript."""
