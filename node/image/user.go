package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"neargate/node/image/layered"
	"neargate/node/sandbox"
)

// mostFile is how many bytes of /etc/passwd and /etc/group are read.
const mostFile = 16 << 20

// User finds whom a user specification of docker means in the image: a name or
// number, maybe with a colon and a group's name or number; empty: root. Without
// a group it is the user's own, with those that list the user.
func (i Image) User(spec string) (sandbox.User, error) {
	name, group, hasGroup := strings.Cut(spec, ":")
	t, err := layered.Open(i.Layers)
	if err != nil {
		return sandbox.User{}, err
	}
	defer t.Close()
	users, err := table(t, "etc/passwd", 4)
	if err != nil {
		return sandbox.User{}, err
	}
	if name == "" {
		name = "0"
	}
	var user sandbox.User
	login := ""
	id, numeric := parseID(name)
	at := slices.IndexFunc(users, func(f []string) bool {
		n, ok := parseID(f[2])
		return ok && (numeric && n == id || !numeric && f[0] == name)
	})
	switch {
	case at >= 0:
		login = users[at][0]
		user.UID, _ = parseID(users[at][2])
		user.GID, _ = parseID(users[at][3])
	case numeric:
		user.UID = id
	default:
		return user, fmt.Errorf("unable to find user %s: no matching entries in passwd file", name)
	}
	if !hasGroup && login == "" {
		return user, nil
	}
	groups, err := table(t, "etc/group", 3)
	if err != nil {
		return user, err
	}
	if hasGroup && group != "" {
		user.GID, err = findGroup(groups, group)
		return user, err
	}
	for _, f := range groups {
		if gid, ok := parseID(f[2]); ok && len(f) > 3 && slices.Contains(strings.Split(f[3], ","), login) {
			user.Additional = append(user.Additional, gid)
		}
	}
	return user, nil
}

func findGroup(groups [][]string, name string) (uint32, error) {
	id, numeric := parseID(name)
	for _, f := range groups {
		if gid, ok := parseID(f[2]); ok && !numeric && f[0] == name {
			return gid, nil
		}
	}
	if numeric {
		return id, nil
	}
	return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", name)
}

// parseID reads a user's or group's number. The last ones mean "none" to the
// kernel or to those who count with signs.
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return uint32(n), err == nil
}

// table reads a file of lines with fields between colons, of which there are at
// least n in a line that counts. A file that is not there is empty.
func table(t layered.Tree, name string, n int) ([][]string, error) {
	f, err := t.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out [][]string
	lines := bufio.NewScanner(io.LimitReader(f, mostFile))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Split(strings.TrimSpace(lines.Text()), ":"); len(fields) >= n && fields[0] != "" {
			out = append(out, fields)
		}
	}
	return out, lines.Err()
}
