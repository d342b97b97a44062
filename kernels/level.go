package kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// EnvLevel names the environment variable that [LevelFromEnv] reads.
const EnvLevel = "SWITCHYARD_LEVEL"

// level is one set of kernels.
type level struct {
	name  string
	prims prims
	mat   matKernels
	peak  peakKernels

	packed packKernels
}

// Levels lists the levels that this CPU can run, lowest first; "generic" is always there.
func Levels() []string {
	var names []string
	for _, l := range levels() {
		names = append(names, l.name)
	}
	return names
}

func levelGeneric() level {
	return level{name: "generic", prims: primsGeneric(), packed: packedGeneric()}
}

// pick finds a level by name; "" is the best one.
func pick(name string) (level, error) {
	have := levels()
	if name == "" {
		return have[len(have)-1], nil
	}
	for _, l := range have {
		if l.name == name {
			return l, nil
		}
	}
	list := strings.Join(Levels(), ", ")
	if slices.Contains(allLevels, name) {
		return level{}, fmt.Errorf("kernels: this machine cannot run level %q, available: %s", name, list)
	}
	return level{}, fmt.Errorf("kernels: unknown level %q, available: %s", name, list)
}

// allLevels are the levels of any machine, lowest first.
var allLevels = []string{"generic", "avx2", "avxvnni", "avx512vnni"}

// LevelFromEnv is the level for [Options] that the environment variable SWITCHYARD_LEVEL forces, "" where it is not
// set. It forces a lower level, never a higher one: a level that exists but that this CPU lacks is the best one below
// it. A name that no machine knows is an error.
func LevelFromEnv() (string, error) {
	name := os.Getenv(EnvLevel)
	if name == "" {
		return "", nil
	}
	at := slices.Index(allLevels, name)
	if at < 0 {
		return "", fmt.Errorf("%s=%q is not a level, available: %s", EnvLevel, name, strings.Join(Levels(), ", "))
	}
	have := Levels()
	for !slices.Contains(have, allLevels[at]) {
		at--
	}
	return allLevels[at], nil
}
