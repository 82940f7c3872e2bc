package metadata

import (
	"math"
	"time"

	"neargate/node/usage"
)

// stats is a container's figures in the form of Docker's container stats. What is
// not known is empty. Source: Docker Engine API 1.30, ContainerStats.
type stats struct {
	Read     time.Time          `json:"read"`
	PreRead  time.Time          `json:"preread"`
	Pids     pids               `json:"pids_stats"`
	Blkio    blkio              `json:"blkio_stats"`
	NumProcs int                `json:"num_procs"`
	Storage  struct{}           `json:"storage_stats"`
	CPU      cpu                `json:"cpu_stats"`
	PreCPU   cpu                `json:"precpu_stats"`
	Memory   memory             `json:"memory_stats"`
	Name     string             `json:"name"`
	ID       string             `json:"id"`
	Networks map[string]traffic `json:"networks,omitempty"`
	Rate     *rate              `json:"network_rate_stats,omitempty"`
}

type pids struct {
	Current int `json:"current,omitempty"`
}

type blkio struct {
	ServiceBytes none `json:"io_service_bytes_recursive"`
	Serviced     none `json:"io_serviced_recursive"`
	Queue        none `json:"io_queue_recursive"`
	ServiceTime  none `json:"io_service_time_recursive"`
	WaitTime     none `json:"io_wait_time_recursive"`
	Merged       none `json:"io_merged_recursive"`
	Time         none `json:"io_time_recursive"`
	Sectors      none `json:"sectors_recursive"`
}

// none is an empty list: disks are not counted by container.
type none [0]int

type cpu struct {
	Usage      cpuUsage   `json:"cpu_usage"`
	System     int64      `json:"system_cpu_usage,omitempty"`
	Online     int        `json:"online_cpus,omitempty"`
	Throttling throttling `json:"throttling_data"`
}

// times are nanoseconds.
type cpuUsage struct {
	Total  int64 `json:"total_usage"`
	Kernel int64 `json:"usage_in_kernelmode"`
	User   int64 `json:"usage_in_usermode"`
}

// throttling is of the container itself, which has no quota on Fargate.
type throttling struct {
	Periods   uint64 `json:"periods"`
	Throttled uint64 `json:"throttled_periods"`
	Time      uint64 `json:"throttled_time"`
}

type memory struct {
	Usage    uint64            `json:"usage"`
	MaxUsage uint64            `json:"max_usage,omitempty"`
	Stats    map[string]uint64 `json:"stats"`
	Limit    uint64            `json:"limit"`
}

type traffic struct {
	RxBytes   uint64 `json:"rx_bytes"`
	RxPackets uint64 `json:"rx_packets"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxErrors  uint64 `json:"tx_errors"`
	TxDropped uint64 `json:"tx_dropped"`
}

type rate struct {
	Rx float64 `json:"rx_bytes_per_sec"`
	Tx float64 `json:"tx_bytes_per_sec"`
}

// noLimit is what a memory cgroup without a limit shows on a machine with pages
// of 4 KiB.
const noLimit = math.MaxInt64 / 4096 * 4096

// statsDocument is the figures of the task's i-th container; nil while it has
// none.
func statsDocument(v *View, i int, p usage.Pair) *stats {
	name := v.Task.Spec.Containers[i].Name
	before, now, ok := p.Container(name)
	if !ok {
		return nil
	}
	d := &stats{
		Read: p.Now.At.UTC(), PreRead: p.Before.At.UTC(), Pids: pids{now.Processes},
		CPU: cpuDocument(now, p.Now.Host), PreCPU: cpuDocument(before, p.Before.Host),
		Memory: memory{Usage: now.Memory, MaxUsage: now.MaxMemory, Limit: now.Limit, Stats: map[string]uint64{}},
		Name:   name, ID: v.Containers[i].ID, Networks: map[string]traffic{},
	}
	if d.Memory.Limit == 0 {
		d.Memory.Limit = noLimit
	}
	if now.Memory > 0 {
		d.Memory.Stats["cache"] = now.Cache
	}
	if m := v.Task.Spec.Memory; m > 0 {
		d.Memory.Stats["hierarchical_memory_limit"] = uint64(m) << 20
	}
	for k, n := range p.Now.Networks {
		d.Networks[k] = traffic{
			RxBytes: n.ReceivedBytes, RxPackets: n.ReceivedPackets, RxErrors: n.ReceivedErrors, RxDropped: n.ReceivedDropped,
			TxBytes: n.SentBytes, TxPackets: n.SentPackets, TxErrors: n.SentErrors, TxDropped: n.SentDropped,
		}
	}
	d.Rate = &rate{}
	d.Rate.Rx, d.Rate.Tx = p.Rate()
	return d
}

func cpuDocument(c usage.Container, h usage.Host) cpu {
	return cpu{Usage: cpuUsage{int64(c.CPU), int64(c.Kernel), int64(c.User)}, System: int64(h.CPU), Online: h.CPUs}
}
