module neargate/shim/api

go 1.26.0
