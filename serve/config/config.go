package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the largest file that is read.
const MaxBytes = 1 << 20

// maxDepth bounds how deep mappings and lists may stand in each other.
const maxDepth = 32

// Config is a whole file. Lists are in its order.
type Config struct {
	File      string
	Server    Server
	Models    []Model
	Upstreams []Upstream
	Routers   []Router
	Guard     Guard
	Budget    Budget
	Virtual   []Virtual
	Replay    Replay
	Ledger    Ledger
}

// Read reads a file; see Parse.
func Read(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads the text of a file, whose name stands in errors and whose folder is what relative names are relative to.
// Errors: Faults.
func Parse(path string, data []byte) (*Config, error) {
	r := &reader{file: path, dir: filepath.Dir(path)}
	c := &Config{File: path}
	c.defaults()
	root := r.parse(data)
	if root == nil {
		return nil, r.faults
	}
	v := value{r, root, ""}
	v.check(0)
	if len(r.faults) > 0 { // the rest would read them as something else
		return nil, r.faults.sorted()
	}
	v.object(keys{
		"server": c.Server.read, "models": c.readModels, "upstreams": c.readUpstreams, "routers": c.readRouters, "guard": c.Guard.read,
		"budget": c.Budget.read, "virtual": c.readVirtual, "replay": c.Replay.read, "ledger": c.Ledger.read,
	})
	c.references(r)
	if len(r.faults) > 0 {
		return nil, r.faults.sorted()
	}
	return c, nil
}

// parse makes nodes of the text; nil where it is none.
func (r *reader) parse(data []byte) *yaml.Node {
	refuse := func(want, found string) *yaml.Node {
		r.faults = append(r.faults, Fault{File: r.file, Want: want, Found: found})
		return nil
	}
	switch {
	case len(data) > MaxBytes:
		return refuse(fmt.Sprintf("at most %d bytes", MaxBytes), "more")
	case !utf8.Valid(data):
		return refuse("UTF-8", "other bytes")
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return refuse("a mapping", "an empty file")
		}
		line, text := yamlError(err)
		r.faults = append(r.faults, Fault{File: r.file, Line: line, Want: "YAML", Found: text})
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return refuse("one document", "more behind it")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		r.faults = append(r.faults, Fault{File: r.file, Line: root.Line, Want: "a mapping", Found: describe(root)})
		return nil
	}
	return root
}

// yamlError parts the parser's message into line and text.
func yamlError(err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	return line, strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
}

func (c *Config) defaults() {
	c.Budget = Budget{Share: 1}
	c.Guard.Policy = PolicyLocal
	c.Server = Server{Addr: "127.0.0.1:8080", Parallel: 16, MaxQueue: 256, Chunk: 256, Prefixes: true, MaxBody: 4 << 20, Drain: 30 * time.Second}
}
