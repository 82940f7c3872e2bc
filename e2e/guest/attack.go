package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dialFrom dials an address from one that need not be the guest's own.
func dialFrom(args []string) error {
	from, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_FREEBIND, 1)
		})
		return errors.Join(err, failed)
	}}
	c, err := d.DialContext(context.Background(), "tcp4", args[1])
	var t net.Error
	switch {
	case err == nil:
		defer c.Close()
		fmt.Println("open", c.LocalAddr())
	case errors.As(err, &t) && t.Timeout():
		fmt.Println("silent")
	default:
		fmt.Println(err)
	}
	return nil
}

// hear prints what comes to a UDP port within a time, with whom it says it is from.
func hear(args []string) error {
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	l, err := net.ListenPacket("udp4", args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, from, err := l.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", from.(*net.UDPAddr).IP, b[:n])
	}
}

// forge sends a datagram that says it is from another address.
func forge(args []string) error {
	from, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(args[1])
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if err != nil {
		fmt.Println("no raw socket:", err)
		return nil
	}
	defer syscall.Close(fd)
	if err := syscall.Sendto(fd, datagram(from, to, args[2]), 0, &syscall.SockaddrInet4{Addr: to.Addr().As4()}); err != nil {
		fmt.Println("not sent:", err)
		return nil
	}
	fmt.Println("sent")
	return nil
}

// datagram is an IPv4 packet with a UDP datagram without checksum.
func datagram(from netip.Addr, to netip.AddrPort, text string) []byte {
	p := make([]byte, 28, 28+len(text))
	p[0], p[8], p[9] = 0x45, 64, syscall.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(28+len(text)))
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.Addr().AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(p[20:], 9)
	binary.BigEndian.PutUint16(p[22:], to.Port())
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(text)))
	return append(p, text...)
}

// claim tells the neighbours on an interface that an address is the guest's.
func claim(args []string) error {
	device, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	address, err := netip.ParseAddr(args[1])
	if err != nil {
		return err
	}
	const arp = 0x0806
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	if err != nil {
		fmt.Println("no packet socket:", err)
		return nil
	}
	defer syscall.Close(fd)
	ip, own := address.AsSlice(), device.HardwareAddr
	for _, operation := range []byte{1, 2} { // a request and an answer that nobody asked for
		frame := append([]byte{255, 255, 255, 255, 255, 255}, own...)
		frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation)
		frame = append(append(frame, own...), ip...)
		frame = append(append(frame, 255, 255, 255, 255, 255, 255), ip...)
		to := &syscall.SockaddrLinklayer{Protocol: arp>>8 | arp&0xff<<8, Ifindex: device.Index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
		if err := syscall.Sendto(fd, frame, 0, to); err != nil {
			fmt.Println("not sent:", err)
			return nil
		}
	}
	fmt.Println("sent")
	return nil
}

// dialUnix dials a Unix socket; @ begins the name of an abstract one.
func dialUnix(args []string) error {
	c, err := net.DialTimeout("unix", args[0], 2*time.Second)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	defer c.Close()
	fmt.Println("open")
	return nil
}

// device makes a block device and reads from it.
func device(args []string) error {
	major, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	minor, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := syscall.Mknod(args[0], syscall.S_IFBLK|0o600, minor&0xff|major<<8|(minor&^0xff)<<12); err != nil {
		fmt.Println("not made:", err)
		return nil
	}
	defer os.Remove(args[0])
	f, err := os.Open(args[0])
	if err != nil {
		fmt.Println("not opened:", err)
		return nil
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 4096))
	fmt.Println("read", n, err)
	return nil
}
