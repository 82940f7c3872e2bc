package view

import (
	"reflect"
	"testing"

	"neargate/resource/compute"
)

// TestShow shows versions of a task: each as Task does, once, and with a form of its own.
func TestShow(t *testing.T) {
	s := NewTasks()
	first := &compute.Task{Account: "123456789012", Region: "us-east-1", Cluster: "c", ID: "1", Tags: []compute.Tag{{Key: "a", Value: "b"}}}
	first.State.Last = compute.Pending
	second := new(*first)
	second.State.Last = compute.Running
	forms := map[any]bool{}
	for _, task := range []*compute.Task{first, second, first} {
		for _, d := range []Detail{{}, {Health: true}, {Health: true, Tags: true}} {
			got, again := s.Show(task, d), s.Show(task, d)
			if got.Form == nil || got.Form != again.Form || got.TaskArn != again.TaskArn {
				t.Errorf("%v, %+v: it is not the same when it is shown again", task.State.Last, d)
			}
			forms[got.Form] = true
			if got.Form = nil; !reflect.DeepEqual(got, Task(task, d)) {
				t.Errorf("%v, %+v: %+v", task.State.Last, d, got)
			}
		}
	}
	if len(forms) != 6 {
		t.Errorf("%d forms of two versions with three details", len(forms))
	}
}
