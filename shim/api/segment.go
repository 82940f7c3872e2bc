package api

// Log says what becomes of a container's output.
type Log struct {
	Mode   string // Discard, Blocking, NonBlocking
	Buffer int64  // bytes of records at least that are kept until they are taken in; 0: DefaultBuffer
}
