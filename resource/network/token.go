package network

import "time"

// Creation remembers what a client token created, also after that is gone.
type Creation struct {
	Account, Region string
	Operation       string
	Token           string // hash of the client token
	Arguments       string // hash of the request
	Resource        string // id
	Tags            []Tag  `json:",omitempty"` // of the request
	At              time.Time
}

// TokenLife is how long a client token is remembered.
const TokenLife = 24 * time.Hour
