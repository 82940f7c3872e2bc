package task

import "neargate/resource/compute"

// Stage is how far the node has come with one container. DescribeTasks shows
// PENDING before Running, and STOPPED at the end.
type Stage uint8

// The stages of a container.
const (
	Waiting    Stage = iota // nothing done yet
	Pulling                 // its image is being pulled
	Pulled                  // ready to be created when its dependencies allow
	Creating                // being created
	Created                 // created, not started
	Starting                // being started
	Running                 // its process runs
	Restarting              // its process has exited and is being started again
	Signalled               // was told to stop
	Killed                  // was killed, the exit is not yet seen
	Ended                   // over, for good
	stages
)

// Kind is what happened.
type Kind uint8

// The events. The first group concerns a container, the second the task.
const (
	ImagePulled  Kind = iota // with its Digest
	PullFailed               // with a Reason, CannotPullContainerError: …
	MadeReady                // the container was created
	CreateFailed             // with a Reason
	Started                  // the container's process runs
	StartFailed              // with a Reason
	Exited                   // with the ExitCode if it is known, a Reason if it was no plain exit, and when
	HealthSeen               // with the Health

	pull    // the machine's own decisions
	create  //
	start   //
	restart //
	signal  //
	kill    //
	abort   //
	containerEvents

	Attached     // the task's interface exists
	AttachFailed // none could be made, with a Reason
	Plugged      // the interface is in place
	PlugFailed   // with a Reason
	Unplugged    // nothing of the task is left on the node
	Detached     // the task has no interface any more
	StopWanted   // somebody wants it stopped, with the Intent
	Tick         // only time has passed
)

// none marks events that a stage does not know; they change nothing.
const none = stages

// next is the life cycle of a container. Ended has no way out.
var next = [stages][containerEvents]Stage{
	Waiting:    row(on{pull, Pulling}, on{abort, Ended}),
	Pulling:    row(on{ImagePulled, Pulled}, on{PullFailed, Ended}, on{abort, Ended}),
	Pulled:     row(on{create, Creating}, on{abort, Ended}),
	Creating:   row(on{MadeReady, Created}, on{CreateFailed, Ended}),
	Created:    row(on{start, Starting}, on{abort, Ended}),
	Starting:   row(on{Started, Running}, on{StartFailed, Ended}),
	Running:    row(on{HealthSeen, Running}, on{restart, Restarting}, on{signal, Signalled}, on{Exited, Ended}),
	Restarting: row(on{Started, Running}, on{StartFailed, Ended}),
	Signalled:  row(on{kill, Killed}, on{Exited, Ended}),
	Killed:     row(on{Exited, Ended}),
	Ended:      row(),
}

type on struct {
	event Kind
	to    Stage
}

func row(moves ...on) [containerEvents]Stage {
	var r [containerEvents]Stage
	for i := range r {
		r[i] = none
	}
	for _, m := range moves {
		r[m.event] = m.to
	}
	return r
}

// step is an observation that moves a task's lastStatus.
type step uint8

const (
	networked   step = iota // its network interface is in place
	registering             // its targets are being registered
	up                      // every container has started
	deregister              // its targets are being deregistered
	signalled               // its containers were told to stop
	over                    // nothing of it runs or is plugged in
	released                // its network interface is gone
	steps
)

// lastStatus is the life cycle of a task. Fargate, as recorded, shows neither
// ACTIVATING, DEACTIVATING nor STOPPING for tasks without load balancers.
var lastStatus = map[compute.Status][steps]compute.Status{
	compute.Provisioning: {networked: compute.Pending, over: compute.Deprovisioning},
	compute.Pending:      {registering: compute.Activating, up: compute.Running, over: compute.Deprovisioning},
	compute.Activating:   {up: compute.Running, over: compute.Deprovisioning},
	compute.Running: {deregister: compute.Deactivating, signalled: compute.Stopping,
		over: compute.Deprovisioning},
	compute.Deactivating:   {signalled: compute.Stopping, over: compute.Deprovisioning},
	compute.Stopping:       {over: compute.Deprovisioning},
	compute.Deprovisioning: {released: compute.Stopped},
	compute.Stopped:        {},
}
