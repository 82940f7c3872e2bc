module neargate/tools

go 1.26
