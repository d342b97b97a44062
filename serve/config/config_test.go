package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/serve/config"
)

const whole = `
server: {addr: "127.0.0.1:9000", parallel: 4, drain: 1m30s, keys: keys.txt}
models:
  small: {dir: builtin, gate: topk=1}
  olmoe: {dir: checkpoints/olmoe, quant: int8, threads: 2}
upstreams:
  big: {base_url: "https://api.example.com/v1", api_key_env: BIG_KEY, model: big-1, price: {input: 2.5, output: 10}, timeout: 60s, retries: 0}
routers:
  kinds: {kind: experts}
  hard: {kind: difficulty, dir: router, share: 0.3}
guard: {policy: redact, words: [Falcon], skip: [phone], patterns: {ticket: 'T-\d{6}'}}
budget: {share: 0.2, daily: 5}
virtual:
  auto:
    routes:
      - when: {code: true, not: {private: true}}
        model: olmoe
      - name: hard
        when: {router: hard, is: strong}
        model: big
      - name: unsure
        when: {any: [{keyword: [law, tax]}, {longer_than: 2000}]}
        model: small
        cascade: {to: big, below: -1.5}
    default: small
    fallback: small
replay: {file: decisions.jsonl}
`

func TestParse(t *testing.T) {
	c, err := config.Parse("/etc/sy/serve.yaml", []byte(whole))
	require.NoError(t, err)
	require.Equal(t, 4, c.Server.Parallel)
	require.Equal(t, 90*time.Second, c.Server.Drain)
	require.Equal(t, "/etc/sy/keys.txt", c.Server.Keys)
	require.Equal(t, 256, c.Server.MaxQueue)
	require.Equal(t, []string{"small", "olmoe"}, []string{c.Models[0].Name, c.Models[1].Name})
	require.Equal(t, "", c.Models[0].Dir)
	require.Equal(t, "/etc/sy/checkpoints/olmoe", c.Models[1].Dir)
	require.Equal(t, 10.0, c.Upstreams[0].Output)
	require.Equal(t, -1, c.Upstreams[0].Retries)
	require.Equal(t, 0.3, c.Routers[1].Share)
	v := c.Virtual[0]
	require.Equal(t, []string{"olmoe", "hard", "unsure"}, []string{v.Routes[0].Name, v.Routes[1].Name, v.Routes[2].Name})
	require.True(t, *v.Routes[0].When.Code)
	require.Equal(t, -1.5, v.Routes[2].Cascade.Below)
	require.Equal(t, 16, v.Routes[0].At.Line)
	json, err := config.Parse("f.json", []byte(`{"models": {"a": {"dir": "builtin"}}, "virtual": {"auto": {"default": "a"}}}`))
	require.NoError(t, err)
	require.Equal(t, "a", json.Virtual[0].Default)
}

// Each fault alone, on its line.
func TestFaults(t *testing.T) {
	const head = "models:\n  a: {dir: builtin}\nupstreams:\n  u: {base_url: 'http://h/v1', model: m}\n" // 4 lines
	for text, want := range map[string]string{
		"serve: {}":                             `5: serve: want one of budget, guard, ledger, models`,
		"server: {addr: []}":                    `5: server.addr: want a text, found a list`,
		"server: {parallel: 0}":                 `5: server.parallel: want a whole number from 1 to 65536, found "0"`,
		"server: {parallel: many}":              `found "many"`,
		"server: {drain: 30}":                   `5: server.drain: want a time from 0s to 1h0m0s, such as 30s, found "30"`,
		"server: {lazy: yes please}":            `5: server.lazy: want true or false, found "yes please"`,
		"server: [1]":                           `5: server: want a mapping, found a list`,
		"server:\n  pprof: true\n  pprof: true": `7: server.pprof: want each key once, found it again (first in line 6)`,
		"routers: {k: {kind: magic}}":           `5: routers.k.kind: want experts, difficulty, classifier or examples, found "magic"`,
		"routers: {k: {kind: difficulty}}":      `5: routers.k: want a key dir (kind difficulty), found none`,
		"routers: {k: {kind: examples, encoder: z, examples: {x: hi}}}": `5: routers.k.encoder: want one of models: a, found "z"`,
		"guard: {skip: [mail]}":                                      `5: guard.skip[0]: want email, phone, iban, card or key, found "mail"`,
		"guard: {patterns: {x: '('}}":                                "5: guard.patterns.x: want a pattern of RE2, found missing closing ): `(`",
		"budget: {share: 20}":                                        `5: budget.share: want a number from 0 to 1, found "20"`,
		"budget: {daily: 0}":                                         `5: budget.daily: want a number above 0, found "0"`,
		"ledger: {reference: w}":                                     `5: ledger.reference: want one of upstreams: u, found "w"`,
		"upstreams: {w: {model: m}}":                                 `want each key once`,
		"budget: {share: .nan}":                                      `5: budget.share`,
		"replay: {prompts: true}":                                    `5: replay: want a key file, found none`,
		"virtual: {a: {default: a}}":                                 `5: virtual.a: want a name that nothing else has, found "a" again, beside models.a`,
		"virtual: {v: {default: b}}":                                 `5: virtual.v.default: want one of models: a; or of upstreams: u, found "b"`,
		"virtual: {v: {default: u}}":                                 `5: virtual.v: want a key fallback, as requests may leave`,
		"virtual: {v: {default: a, fallback: u}}":                    `5: virtual.v.fallback: want one of models: a, found "u"`,
		"virtual: {v: {}}":                                           `5: virtual.v: want a key default, found none`,
		"virtual: {'v 1': {default: a}}":                             `want a name of 1 to 100 letters, digits and marks of ASCII, found "v 1"`,
		"virtual: {v: {default: a, routes: [{model: z}]}}":           `5: virtual.v.routes[0].model: want one of models`,
		"virtual: {v: {default: a, routes: [{when: {}, model: a}]}}": `5: virtual.v.routes[0].when: want at least one condition, found none`,
		"virtual: {v: {default: a, routes: [{when: {router: k, is: x}, model: a}]}}":                 `when.router: want one of routers: (there are none), found "k"`,
		"virtual: {v: {default: a, routes: [{when: {router: k}, model: a}]}}":                        `want router and is together`,
		"virtual: {v: {default: a, routes: [{model: a}, {model: a}]}}":                               `5: virtual.v.routes[1]: want a name that no other route has`,
		"virtual: {v: {default: a, routes: [{model: a, cascade: {to: a, below: -1}}], fallback: a}}": `cascade.to: want one of upstreams: u, found "a"`,
		"virtual: {v: {default: a, fallback: a, routes: [{model: u, cascade: {to: u, below: -1}}]}}": `want a local model, as its log-probabilities decide`,
		"virtual: {v: {default: a, fallback: a, routes: [{model: a, cascade: {to: u, below: 1}}]}}":  `cascade.below: want a number from -100 to 0, found "1"`,
		"guard: &x {policy: off}":   `5: guard: want no anchors, found &x`,
		"guard: &x {}\nreplay: *x":  `6: replay: want no aliases, found *x`,
		"server: !!str x":           `5: server: want no tags, found !!str`,
		"---\na: 1":                 `want one document, found more behind it`,
		"server: [":                 `want YAML, found `,
		"\tserver: 1":               `5: want YAML`,
		strings.Repeat("[", 100000): `want`,
		strings.Repeat("#", 1<<20):  `want at most 1048576 bytes, found more`,
		"\xff":                      `want UTF-8`,
		"server: " + strings.Repeat("{a: ", 200) + strings.Repeat("}", 200): `want at most 32 lists and mappings within each other`,
	} {
		_, err := config.Parse("f.yaml", []byte(head+text))
		require.Error(t, err, "%.80s", text)
		require.Contains(t, err.Error(), want, "%.80s", text)
		require.True(t, strings.HasPrefix(err.Error(), "f.yaml:"), err.Error())
	}
}

// All faults are told at once, in the order of the lines.
func TestEveryFaultAtOnce(t *testing.T) {
	_, err := config.Parse("f.yaml", []byte("server:\n  addr: []\n  colour: red\nmodels:\n  a: {dir: builtin, quant: int3}\nvirtual:\n  v: {default: b}\n"))
	var f config.Faults
	require.ErrorAs(t, err, &f)
	require.Len(t, f, 4, "%v", err)
	for i, line := range []int{2, 3, 5, 7} {
		require.Equal(t, line, f[i].Line, f[i].Error())
	}
	require.Len(t, strings.Split(err.Error(), "\n"), 4)
}

// A key that stands where its name should is not repeated.
func TestKeysAreNotRepeated(t *testing.T) {
	_, err := config.Parse("f.yaml", []byte("upstreams: {u: {base_url: 'http://h/v1', model: m, api_key_env: sk-very-secret}}"))
	require.ErrorContains(t, err, "api_key_env: want the name of an environment variable")
	require.NotContains(t, err.Error(), "secret")
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	_, err := config.Read(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte(whole), 0o600))
	_, err = config.Read(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(" ", config.MaxBytes+1)), 0o600))
	_, err = config.Read(path)
	require.ErrorContains(t, err, "found more")
}

// A bomb of aliases is refused before it is expanded, and large nests end soon.
func TestBombs(t *testing.T) {
	bomb := "a0: &a0 [x]\n"
	for i := 1; i < 60; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	begin := time.Now()
	for _, text := range []string{bomb, strings.Repeat("- ", 1<<18), strings.Repeat("? ", 1<<18), strings.Repeat("{a: [", 1<<17), strings.Repeat("a:\n", 1<<18)} {
		_, err := config.Parse("f.yaml", []byte(text))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 64<<10)
	}
	require.Less(t, time.Since(begin), 10*time.Second)
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("virtual: {v: {default: a, routes: [{when: {any: [{not: {code: true}}]}, model: a}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("f.yaml", []byte(text))
		if (c == nil) != (err != nil) {
			t.Fatal("neither a configuration nor an error")
		}
	})
}
