// Package switchyard_test holds what is true of the whole module.
package switchyard_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed2fbf7788/switchyard"

// allowed says which rooms a room may import: tensor ← kernels ← moe ← model ← cmd, with loader and tokenizer beside
// moe. A room that is not named here is a fault, so that a new one is thought about.
var allowed = map[string]string{
	"tensor":               "",
	"tensor/dense":         "tensor",
	"kernels":              "tensor",
	"kernels/internal/gen": "",
	"loader":               "tensor",
	"tokenizer":            "tensor",
	"tokenizer/jinja":      "",
	"tokenizer/chat":       "tokenizer tokenizer/jinja",
	"moe":                  "tensor kernels",
	"moe/moetest":          "tensor kernels moe",
	"model":                "tensor kernels moe loader tokenizer tokenizer/chat",
	"model/builtin":        "",
	"model/trace":          "tensor moe loader model",
	"model/gatefit":        "tensor kernels moe loader model",
	"serve/engine":         "tensor moe tokenizer model",
	"model/random":         "tensor loader model",
	"bench/roofline":       "",
	"bench":                "tensor tensor/dense kernels moe loader model model/random bench/roofline",
	"model/report":         "moe tokenizer model/trace",
	"route":                "tensor kernels moe loader model learn",
	"learn":                "tensor kernels loader model",
	"route/guard":          "",
	"route/price":          "",
	"route/clock":          "",
	"route/cascade":        "",
	"route/budget":         "route/price route/clock",
	"route/ledger":         "route/price route/clock",
	"route/upstream":       "route/guard route/price route/clock",
	"route/policy":         "route/guard route/price route/clock route/cascade route/budget route/ledger route/upstream",
	"serve/grammar":        "",
	"serve":                "moe tokenizer tokenizer/chat tokenizer/jinja model serve/engine serve/grammar route route/policy route/cascade route/guard route/ledger route/price route/upstream",
	"serve/setup":          "learn model model/builtin route route/budget route/cascade route/guard route/ledger route/policy route/price route/upstream serve serve/config",
	"serve/config":         "",
	"serve/load":           "model serve serve/engine",
	"model/eval":           "tensor moe model",
	"model/prune":          "tensor moe loader model model/trace",
	"docs/demo":            "",
	"cmd/switchyard":       "*",
}

func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}:{{join .Imports \" \"}}", "./...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		room := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		if room == "" {
			continue
		}
		may, ok := allowed[room]
		require.True(t, ok, "%s is a room that DESIGN does not have", room)
		for _, imp := range strings.Fields(imports) {
			require.NotEqual(t, "C", imp, "%s uses cgo", room)
			if in, ours := strings.CutPrefix(imp, module+"/"); ours && may != "*" {
				require.Contains(t, strings.Fields(may), in, "%s must not import %s", room, in)
			}
			hot := room != "tensor/dense" && strings.HasPrefix(imp, "gorgonia.org/")
			require.False(t, hot, "%s imports %s: gorgonia stays behind tensor/dense", room, imp)
		}
	}
}
