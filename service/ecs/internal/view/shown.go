package view

import (
	"neargate/aws/ecs"
	"neargate/internal/recent"
	"neargate/resource/compute"
	"neargate/wire/shape"
)

// maxShown is how many tasks are remembered as they are shown; while they change, up to
// as many again. One of two containers takes 8 KB, with its record.
const maxShown = 1024

// version is a record of a task, which never changes, with what is shown of it.
type version struct {
	task   *compute.Task
	detail Detail
}

// Tasks shows tasks, and remembers how: clients ask again and again until a task has
// changed. It is safe for concurrent use.
type Tasks struct {
	shown *recent.Cache[version, *ecs.Task]
}

// NewTasks remembers nothing yet.
func NewTasks() *Tasks {
	return &Tasks{recent.New(maxShown, func(v version) *ecs.Task {
		t := Task(v.task, v.detail)
		t.Form = new(shape.Form)
		return &t
	})}
}

// Show shows a task as Task does. Neither the record nor what is returned, or points to,
// may be assigned to afterwards.
func (s *Tasks) Show(t *compute.Task, d Detail) ecs.Task { return *s.shown.Get(version{t, d}) }
