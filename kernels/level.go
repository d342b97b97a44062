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

	allowed func() bool // asks the system for leave to use the level; nil: none is needed
}

// ready says whether the level can be used.
func (l *level) ready() bool { return l.allowed == nil || l.allowed() }

// Levels lists the levels that this machine can run, lowest first; "generic" is always there. For amx it asks the
// system's leave to use tiles, as [New] does, which holds for the rest of the process.
func Levels() []string {
	var names []string
	for _, l := range levels() {
		if l.ready() {
			names = append(names, l.name)
		}
	}
	return names
}

func levelGeneric() level {
	return level{name: "generic", prims: primsGeneric(), packed: packedGeneric()}
}

// pick finds a level by name; "" is the best one.
func pick(name string) (level, error) {
	for _, l := range slices.Backward(levels()) {
		if (name == "" || l.name == name) && l.ready() {
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
var allLevels = []string{"generic", "avx2", "avxvnni", "avx512vnni", "amx", "neon", "neondot"}

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
