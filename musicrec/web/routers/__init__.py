"""The endpoints, one module per subject. Each has a `router`; `musicrec.web.app.ROUTERS` lists them."""
