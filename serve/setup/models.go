package setup

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/config"
)

// Sources are the models of a configuration, to be opened with ctx. Two that are written alike have the same key.
func Sources(ctx context.Context, list []config.Model) []serve.Source {
	var out []serve.Source
	for _, m := range list {
		out = append(out, source(ctx, m))
	}
	return out
}

func source(ctx context.Context, m config.Model) serve.Source {
	o := model.Options{Quant: m.Quant, Compute: m.Compute, KV: m.KV, Gate: m.Gate, Level: m.Level, Threads: m.Threads}
	m.At = config.Pos{}
	key, _ := json.Marshal(m)
	src := serve.Source{Name: m.Name, Key: string(key)}
	switch {
	case m.Dir == "":
		src.Open = func() (*model.Model, error) { return model.OpenFS(builtin.FS(), o) }
	case isEncoder(m.Dir):
		src.Encoder = func() (*model.Encoder, error) { return model.OpenEncoder(m.Dir, o) }
	default:
		src.Open = func() (*model.Model, error) { return model.OpenContext(ctx, m.Dir, o) }
	}
	return src
}

func isEncoder(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	return err == nil && model.IsEncoder(data)
}
