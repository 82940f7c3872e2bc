package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/e2e/images"
	"neargate/e2e/story"
)

// The internet of the stories: a namespace with a server, in addresses that are
// for documentation (RFC 5737). The host is its only neighbour.
const (
	internetHost   = "203.0.113.1"
	internetServer = "203.0.113.2"
)

// internet makes the internet and returns the host's device to it.
func internet(t *testing.T) (device string) {
	t.Helper()
	dir := t.TempDir()
	space := filepath.Join(dir, "internet")
	ok(t, os.WriteFile(space, nil, 0o600))
	ok(t, exec.Command("unshare", "--net="+space, "true").Run())
	t.Cleanup(func() {
		if err := unix.Unmount(space, 0); err != nil {
			t.Error(err)
		}
	})
	ns, err := os.Open(space)
	ok(t, err)
	defer ns.Close()
	device = fmt.Sprint("ngs", os.Getpid())
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	ok(t, netlink.LinkAdd(link))
	t.Cleanup(func() {
		if err := netlink.LinkDel(link); err != nil {
			t.Error(err)
		}
	})
	address, err := netlink.ParseAddr(internetHost + "/24")
	ok(t, err)
	ok(t, netlink.AddrAdd(link, address))
	ok(t, netlink.LinkSetUp(link))

	program, err := images.Program(e2e, "./guest", goruntime.GOARCH)
	ok(t, err)
	guest := filepath.Join(dir, "guest")
	ok(t, os.WriteFile(guest, program, 0o755))
	server := exec.Command("nsenter", "--net="+space, "sh", "-c",
		`ip link set lo up && ip address add "$2/24" dev eth0 && ip link set eth0 up && exec "$1" serve "$2:80" the internet`, "sh", guest, internetServer)
	ok(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	answers(t, internetServer)
	return device
}

// TestInternet: through the gateway a task with a public address reaches the
// internet, as the host; one without does not, nor does one whose group forbids.
func TestInternet(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			c := newWorld(t, runtime, "--uplink", internet(t)).tenant(t)
			_, _, public := c.server(t, definition{})
			if got := ask(t, public, "get", "http://"+internetServer+"/"); got != "200\nthe internet" {
				t.Errorf("the internet says %q", got)
			}
			if got := ask(t, public, "get", "http://"+internetServer+"/from"); !strings.HasPrefix(got, "200\n"+internetHost+":") {
				t.Errorf("the internet sees %q", got)
			}
			if got := ask(t, public, "dial", internetServer+":81"); got != "refused" {
				t.Errorf("a closed port of the internet: %s", got)
			}

			// Without a public address there is no way out, not to a registry either: the image
			// is one of this machine's. It is told through a neighbour.
			local := guestContainer("main", "serve", ":80")
			local.Image = aws.String(strings.TrimPrefix(imagesURL, "http://") + "/neargate/guest:latest")
			place := c.place()
			place.AwsvpcConfiguration.AssignPublicIp = types.AssignPublicIpDisabled
			private, _ := c.addresses(t, c.running(t, c.start(t, ecs.RunTaskInput{NetworkConfiguration: place,
				TaskDefinition: aws.String(c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{local}}))})))
			eventually(t, "the private task finds the internet silent", func() bool {
				said, err := story.Ask(public, "get", "http://"+private+"/try/"+internetServer+":80")
				return err == nil && strings.HasPrefix(said, "200\nsilent")
			})

			tight := c.group(t, "tight")
			c.allow(t, tight, tcp(8080, "0.0.0.0/0"))
			_, inside := c.peer(t, tight)
			reachable(t, inside+":8080", internetServer+":80", "open")
			_, err := c.ec2.RevokeSecurityGroupEgress(t.Context(), &ec2.RevokeSecurityGroupEgressInput{GroupId: aws.String(tight), IpPermissions: []ec2types.IpPermission{
				{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
			ok(t, err)
			reachable(t, inside+":8080", internetServer+":80", "silent")
		})
	}
}
