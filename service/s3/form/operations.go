// Package form is what Amazon S3 does with forms that browsers post.
package form

import "neargate/service/s3/internal/call"

// Operations is the one that takes a form, by method, level and subresource.
func Operations() map[string]call.Operation {
	return map[string]call.Operation{"POST bucket ": call.Op("PostObject", "", postObject)}
}

type request = call.Request
