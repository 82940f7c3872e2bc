package shape

import (
	"errors"
	"fmt"
	"net/http"
)

// Fault says who is to blame for an error, in Smithy's sense.
type Fault string

// The two faults.
const (
	Client Fault = "client"
	Server Fault = "server"
)

// Error is an AWS error: what a client receives, in any protocol.
// Handlers return it (possibly wrapped); any other error reaches the client as
// the service's internal failure, without its text.
type Error struct {
	Code    string // shape name; also the __type of JSON answers
	Query   string // code in query answers where it differs from Code
	Status  int    // HTTP status
	Fault   Fault
	Message string
	Member  string // name of the message member: "message" or "Message"; "" omits it from JSON answers
	Fields  []Field
}

// Field is a modelled member of an error beside its message.
type Field struct {
	Name  string
	Value any // string, []string, bool or number
}

// NewError makes an error of the given code and HTTP status; a status of 500 or
// more makes it the server's fault. The message member is spelled "message".
func NewError(code string, status int, message string) *Error {
	fault := Client
	if status >= http.StatusInternalServerError {
		fault = Server
	}
	return &Error{Code: code, Status: status, Fault: fault, Message: message, Member: "message"}
}

// Errorf makes a client error (HTTP 400) with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return NewError(code, http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// With returns a copy of e that also carries the member name.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{name, value})
	return &c
}

// WithoutMessage returns a copy of e whose JSON form has no message member, as
// some recorded AWS errors have none.
func (e *Error) WithoutMessage() *Error {
	c := *e
	c.Member, c.Message = "", ""
	return &c
}

// QueryCode is the code used in query and EC2 answers.
func (e *Error) QueryCode() string {
	if e.Query != "" {
		return e.Query
	}
	return e.Code
}

// IsCode reports whether err is or wraps an AWS error with one of the codes.
func IsCode(err error, codes ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}
