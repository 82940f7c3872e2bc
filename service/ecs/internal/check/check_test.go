package check

import (
	"testing"

	"neargate/aws/ecs"
	"neargate/service/internal/page"
)

func TestRequired(t *testing.T) {
	required := Required[ecs.RegisterTaskDefinitionInput]()
	container := ecs.ContainerDefinition{Ulimits: []ecs.Ulimit{{Name: new("nofile"), SoftLimit: new(int32(1)), HardLimit: new(int32(1))}}}
	if err := required(&ecs.RegisterTaskDefinitionInput{Family: new(""), ContainerDefinitions: []ecs.ContainerDefinition{container}}); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	container.Ulimits[0].Name = nil
	for want, in := range map[string]*ecs.RegisterTaskDefinitionInput{
		"InvalidParameterException: ContainerDefinitions can not be blank.": {},
		"InvalidParameterException: Family can not be blank.":               {ContainerDefinitions: []ecs.ContainerDefinition{}},
		"InvalidParameterException: Name can not be blank.":                 {Family: new("f"), ContainerDefinitions: []ecs.ContainerDefinition{container}},
		"InvalidParameterException: SizeInGiB can not be blank.": {Family: new("f"), ContainerDefinitions: []ecs.ContainerDefinition{},
			EphemeralStorage: &ecs.EphemeralStorage{}},
	} {
		if err := required(in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestWordsAndBounds(t *testing.T) {
	for want, err := range map[string]error{
		"InvalidParameterException: launch type should be one of [EC2,FARGATE]": OneOf("launch type", new("X"), "EC2", "FARGATE"),
		"InvalidParameterException: include should be one of [TAGS]":            Include([]string{"TAGS", "X"}, "TAGS"),
		"InvalidParameterException: clusters can have at most 2 items.":         AtMost("clusters", 3, 2),
		"InvalidParameterException: Tasks cannot be empty.":                     Given("Tasks", 0),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, err := range []error{OneOf("x", nil, "a"), Include(nil, "TAGS"), AtMost("clusters", 2, 2), Given("Tasks", 1)} {
		if err != nil {
			t.Error(err)
		}
	}
	for n, ok := range map[int32]bool{0: false, 1: true, 100: true, 101: false} {
		if size, err := PageSize(&n, 10); (err == nil) != ok || ok && size != int(n) {
			t.Errorf("PageSize(%d) = %d, %v", n, size, err)
		}
	}
	if size, err := PageSize(nil, 10); size != 10 || err != nil {
		t.Errorf("PageSize(nil) = %d, %v", size, err)
	}
}

func TestPositions(t *testing.T) {
	s := page.NewSealer([32]byte{1})
	tok := s.Seal("at", "account", "List")
	if at, err := Position(s, &tok, "account", "List"); at != "at" || err != nil {
		t.Errorf("Position = %q, %v", at, err)
	}
	if at, err := Position(s, new(""), "account", "List"); at != "" || err != nil {
		t.Errorf("the empty token is %q, %v", at, err)
	}
	if _, err := Position(s, &tok, "other", "List"); err == nil || err.Error() != BadToken().Error() {
		t.Errorf("a token of another account: %v", err)
	}
	if shown, last := Page([]int{1, 2, 3}, 2); len(shown) != 2 || last == nil || *last != 2 {
		t.Errorf("Page = %v, %v", shown, last)
	}
	if shown, last := Page([]int{1, 2}, 2); len(shown) != 2 || last != nil {
		t.Errorf("Page = %v, %v", shown, last)
	}
}
