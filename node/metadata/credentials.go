package metadata

import (
	"context"
	"net/http"
	"time"

	"neargate/resource/compute"
)

// Credentials are temporary ones of a task's role.
type Credentials struct {
	RoleARN                    string
	AccessKeyID, Secret, Token string
	Expiration                 time.Time
}

// Lender gives a task credentials of its role.
type Lender interface {
	// ID is the last part of the path by which a task asks for its credentials; ""
	// for a task without a role.
	ID(t *compute.Task) string
	// Lend returns credentials that are good for a while yet.
	Lend(ctx context.Context, t *compute.Task) (Credentials, error)
}

// credentialsPath is where credentials are. Source: amazon-ecs-agent, credentials
// endpoint version 2.
const credentialsPath = "/v2/credentials"

// lendWithin bounds a request for credentials.
const lendWithin = 4 * time.Second

type credentialsDocument struct {
	RoleArn, AccessKeyId, SecretAccessKey, Token string
	Expiration                                   string
}

type credentialsError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"HTTPErrorCode"`
}

// credentials answers a task that asks for its own. Those of another task are as
// unknown as ones that never were.
func (e *endpoint) credentials(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, message string) {
		write(w, status, credentialsError{code, "CredentialsV2Request: " + message, status})
	}
	id := r.PathValue("id")
	if id == "" {
		refuse(http.StatusBadRequest, "NoIdInRequest", "No ID in the request")
		return
	}
	v, ok := e.source.Find(e.vpc, from(r))
	if !ok || e.lend.ID(&v.Task) != id {
		refuse(http.StatusBadRequest, "InvalidIdInRequest", "Credentials not found")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lendWithin)
	defer cancel()
	c, err := e.lend.Lend(ctx, &v.Task)
	if err != nil {
		refuse(http.StatusServiceUnavailable, "CredentialsUninitialized", "Credentials uninitialized for ID")
		return
	}
	write(w, http.StatusOK, credentialsDocument{c.RoleARN, c.AccessKeyID, c.Secret, c.Token, c.Expiration.UTC().Format(time.RFC3339)})
}

// CredentialsEnv tells a container of a task with a role where its credentials are.
func CredentialsEnv(id string) []string {
	if id == "" {
		return nil
	}
	return []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=" + credentialsPath + "/" + id}
}
