-- OPTIONS /v1/decide, which does nothing, by the way that decisions go.

wrk.method = "OPTIONS"
wrk.path = "/v1/decide"
wrk.headers["Origin"] = "https://shop.example"
