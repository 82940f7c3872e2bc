module neargate/e2e

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	github.com/rogpeppe/go-internal v1.16.0
	neargate v0.0.0
)

require (
	github.com/aws/smithy-go v1.28.9 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)

replace neargate => ../
