package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
)

func versionCommand(_ context.Context, s stdio, args []string) error {
	fs := newFlags(s, "version", "[--json]")
	asJSON := fs.Bool("json", false, "print one JSON object")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	}
	v := struct {
		Version  string   `json:"version"`
		Go       string   `json:"go"`
		Platform string   `json:"platform"`
		Levels   []string `json:"levels"`
		Families []string `json:"families"`
	}{model.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, kernels.Levels(), model.Families()}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		v.Version = info.Main.Version
	}
	if *asJSON {
		return json.NewEncoder(s.out).Encode(v)
	}
	_, err = fmt.Fprintf(s.out, "switchyard %s (%s, %s)\nlevels of this CPU: %s\nfamilies: %s\n",
		v.Version, v.Go, v.Platform, strings.Join(v.Levels, ", "), strings.Join(v.Families, ", "))
	return err
}
