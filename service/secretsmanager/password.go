package secretsmanager

import (
	"context"
	"slices"
	"strings"

	api "neargate/aws/secretsmanager"
	"neargate/service/internal/member"
)

// The kinds of characters of passwords.
const (
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// defaultLength is the length of a password when the request does not say.
const defaultLength = 32

// GetRandomPassword makes a password.
func (s *Service) GetRandomPassword(_ context.Context, in *api.GetRandomPasswordInput) (*api.GetRandomPasswordOutput, error) {
	var kinds []string
	add := func(excluded *bool, kind string) {
		if !member.Or(excluded, false) {
			kinds = append(kinds, kind)
		}
	}
	add(in.ExcludeLowercase, lower)
	add(in.ExcludeUppercase, upper)
	add(in.ExcludeNumbers, digits)
	add(in.ExcludePunctuation, punctuation)
	add(new(!member.Or(in.IncludeSpace, false)), " ")
	for i := range kinds {
		kinds[i] = strings.Map(func(r rune) rune {
			if strings.ContainsRune(member.Or(in.ExcludeCharacters, ""), r) {
				return -1
			}
			return r
		}, kinds[i])
	}
	each, n := member.Or(in.RequireEachIncludedType, true), int(member.Or(in.PasswordLength, defaultLength))
	switch {
	case strings.Join(kinds, "") == "":
		return nil, api.InvalidRequestException("There are no characters left to make a password of.")
	case each && slices.Contains(kinds, ""):
		return nil, api.InvalidRequestException("A required type of characters has none left.")
	case each && n < len(kinds):
		return nil, api.InvalidParameterException("The password length is too short based on the required types.")
	}
	return &api.GetRandomPasswordOutput{RandomPassword: new(s.password(kinds, n, each))}, nil
}

// password is n characters of the kinds, one of each kind at least where each is set.
func (s *Service) password(kinds []string, n int, each bool) string {
	all := strings.Join(kinds, "")
	out := make([]byte, 0, n)
	if each {
		for _, k := range kinds {
			out = append(out, k[s.below(len(k))])
		}
	}
	for len(out) < n {
		out = append(out, all[s.below(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := s.below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// below is a random number below n, which is at most 65536, each as likely.
func (s *Service) below(n int) int {
	for {
		b := s.deps.IDs.Bytes(2)
		if v := int(b[0])<<8 | int(b[1]); v < 65536-65536%n {
			return v % n
		}
	}
}
