package filters

import _ "embed" // for the filters

//go:embed amd64.json
var compiled []byte
