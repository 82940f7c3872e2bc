module neargate

go 1.26
