package metadata

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"neargate/internal/bucket"
	"neargate/node/usage"
)

// limit is how often one task may ask for one thing. Source: Amazon ECS container
// agent configuration, ECS_TASK_METADATA_RPS_LIMIT.
func limit() bucket.Rate { return bucket.Rate{Burst: 60, PerSecond: 40} }

// endpoint serves the tasks of one VPC.
type endpoint struct {
	vpc     string
	source  Source
	protect Protector
	lend    Lender
	mux     *http.ServeMux
	calls   bucket.Set[caller]
	now     func() time.Time
	clock   func() (usage.Clock, error)
}

// caller is a task that asks for one thing.
type caller struct {
	addr    netip.Addr
	pattern string
}

// Handler serves the metadata of the tasks in a VPC. Without a protector the
// agent's API is not served, without a lender no credentials are.
func Handler(vpc string, s Source, p Protector, l Lender) http.Handler {
	return newEndpoint(vpc, s, p, l)
}

func newEndpoint(vpc string, s Source, p Protector, l Lender) *endpoint {
	e := &endpoint{vpc: vpc, source: s, protect: p, lend: l, mux: http.NewServeMux(), now: time.Now, clock: usage.ReadClock}
	for _, version := range []int{3, 4} {
		base := fmt.Sprintf("GET /v%d/{id}", version)
		e.mux.HandleFunc(base, e.container(version))
		e.mux.HandleFunc(fmt.Sprintf("GET /v%d/{$}", version), e.container(version))
		e.mux.HandleFunc(base+"/task", e.task(version, false))
		e.mux.HandleFunc(base+"/taskWithTags", e.task(version, true))
		e.mux.HandleFunc(base+"/stats", e.stats(version))
		e.mux.HandleFunc(base+"/task/stats", e.taskStats(version))
	}
	if l != nil {
		e.mux.HandleFunc("GET "+credentialsPath+"/{id}", e.credentials)
		e.mux.HandleFunc("GET "+credentialsPath+"/{$}", e.credentials)
		e.mux.HandleFunc("GET "+credentialsPath, e.credentials)
	}
	if p != nil {
		const path = " /api/{id}/task-protection/v1/state"
		e.mux.HandleFunc("GET"+path, e.getProtection)
		e.mux.HandleFunc("PUT"+path, e.putProtection)
	}
	return e
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := e.mux.Handler(r)
	if !e.calls.Take(caller{from(r), pattern}, limit(), e.now(), 1) {
		http.Error(w, "You have reached maximum request limit.", http.StatusTooManyRequests)
		return
	}
	e.mux.ServeHTTP(w, r)
}

// from is the address a request comes from.
func from(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// find is the task that asks and which of its containers the path names. Another
// task's container is as unknown as one that never was.
func (e *endpoint) find(r *http.Request) (v View, i int, ok bool) {
	v, ok = e.source.Find(e.vpc, from(r))
	if !ok {
		return v, 0, false
	}
	i = v.index(r.PathValue("id"))
	return v, i, i >= 0
}

// What the agent says of a container it does not know.
const (
	noTask      = "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: "
	noContainer = "unable to get container ID from request: unable to get docker ID from v3 endpoint ID: "
)

// unknown answers for a container that the caller does not have.
func unknown(w http.ResponseWriter, r *http.Request, version int, what, why string) {
	code := http.StatusNotFound
	if version == 3 {
		code = http.StatusInternalServerError
	}
	write(w, code, fmt.Sprintf("V%d %s: %s%s", version, what, why, r.PathValue("id")))
}

func (e *endpoint) container(version int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, i, ok := e.find(r)
		if !ok {
			unknown(w, r, version, "container metadata handler", noContainer)
			return
		}
		d := containerDocument(&v, i)
		if version == 3 {
			d = d.v3()
		}
		write(w, http.StatusOK, d)
	}
}

func (e *endpoint) task(version int, withTags bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _, ok := e.find(r)
		if !ok {
			unknown(w, r, version, "task metadata handler", noTask)
			return
		}
		d := taskDocument(r.Context(), &v, withTags, e.clock)
		if version == 3 {
			d = d.v3()
		}
		write(w, http.StatusOK, d)
	}
}

func (e *endpoint) stats(version int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, i, ok := e.find(r)
		if !ok {
			unknown(w, r, version, "container handler", noTask)
			return
		}
		p, err := pair(r, &v)
		d := statsDocument(&v, i, p)
		if err != nil || d == nil {
			write(w, http.StatusInternalServerError, "Unable to get container stats for: "+v.Containers[i].ID)
			return
		}
		if version == 3 {
			d.Rate = nil
		}
		write(w, http.StatusOK, d)
	}
}

func (e *endpoint) taskStats(version int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _, ok := e.find(r)
		if !ok {
			unknown(w, r, version, "task stats handler", noTask)
			return
		}
		p, err := pair(r, &v)
		if err != nil {
			write(w, http.StatusInternalServerError, "Unable to get task stats for: "+v.Task.ARN())
			return
		}
		all := map[string]*stats{}
		for i := range v.Task.Spec.Containers {
			if i >= len(v.Containers) || v.Containers[i].ID == "" {
				continue
			}
			d := statsDocument(&v, i, p)
			if d != nil && version == 3 {
				d.Rate = nil
			}
			all[v.Containers[i].ID] = d
		}
		write(w, http.StatusOK, all)
	}
}

func pair(r *http.Request, v *View) (usage.Pair, error) {
	if v.Stats == nil {
		return usage.Pair{}, fmt.Errorf("metadata: nothing is measured of task %s", v.Task.ID)
	}
	return v.Stats(r.Context())
}

// write answers with JSON. The data is the package's own, so that it can be
// encoded.
func write(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(b)
}
