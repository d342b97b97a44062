package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/config"
	"github.com/seed2fbf7788/switchyard/serve/setup"
)

// serveFlags are the flags of `serve`.
type serveFlags struct {
	modelFlags
	models             list
	addr, keys, config string
	file               *config.Config // nil: none
	noAuth             bool
	drain              time.Duration
	opts               serve.Options
}

func (f *serveFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "serve", "[-m NAME=DIR…] [--addr HOST:PORT]")
	fs.Var(&f.models, "m", "`NAME=DIR` of a model to serve; may be given several times (default: the built-in model "+builtin.Name+")")
	f.addOptions(fs)
	fs.StringVar(&f.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	fs.StringVar(&f.config, "config", "", "YAML `file` of models, upstreams, routers, virtual models (docs/config.md); flags win; read again on SIGHUP")
	fs.StringVar(&f.keys, "keys", "", "`file` with an API key a line; needed off loopback")
	fs.BoolVar(&f.noAuth, "no-auth", false, "serve without keys even off loopback")
	fs.BoolVar(&f.opts.Lazy, "lazy", false, "open a model when a request first names it")
	fs.BoolVar(&f.opts.Pprof, "pprof", false, "profiles at /debug/pprof/")
	fs.BoolVar(&f.opts.LogPrompts, "log-prompts", false, "log the bodies of requests")
	fs.Int64Var(&f.opts.MaxBody, "max-body", 4<<20, "`bytes` of a request's body")
	fs.IntVar(&f.opts.Engine.Parallel, "parallel", 16, "`texts` that are computed at a time, for each model")
	fs.IntVar(&f.opts.Engine.MaxQueue, "max-queue", 256, "`texts` that may wait beyond them")
	fs.IntVar(&f.opts.Engine.Chunk, "chunk", 256, "`tokens` of prompts that a step takes at most")
	fs.IntVar(&f.opts.Engine.KVTokens, "kv-tokens", 0, "`tokens` that the KV cache of each model holds (default: 1 GiB of them)")
	fs.BoolVar(&f.opts.Engine.NoPrefixes, "no-prefixes", false, "keep no pages of the cache for later texts")
	fs.DurationVar(&f.drain, "drain", 30*time.Second, "`time` for texts to end after SIGTERM")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	}
	if err := f.configure(fs); err != nil {
		return err
	}
	return f.check()
}

func (f *serveFlags) check() error {
	e := &f.opts.Engine
	for name, v := range map[string]int{"parallel": e.Parallel, "chunk": e.Chunk} {
		if v < 1 {
			return fmt.Errorf("%w: --%s: want 1 or more, found %d", errUsage, name, v)
		}
	}
	if e.MaxQueue < 0 || e.KVTokens < 0 || f.drain < 0 || f.opts.MaxBody < 1 {
		return fmt.Errorf("%w: --max-queue, --kv-tokens, --drain and --max-body: want 0 or more", errUsage)
	}
	if e.MaxQueue == 0 {
		e.MaxQueue = -1
	}
	if f.keys == "" && !f.noAuth && !serve.Loopback(f.addr) {
		return fmt.Errorf("%w: --addr %s can be reached from other machines: want --keys, or --no-auth to serve everybody", errUsage, f.addr)
	}
	if f.keys != "" {
		var err error
		f.opts.Keys, err = serve.ReadKeys(f.keys)
		return err
	}
	return nil
}

// sources are the models that the flags name.
func (f *serveFlags) sources(ctx context.Context, s stdio) ([]serve.Source, error) {
	var out []serve.Source
	if f.file != nil {
		out = setup.Sources(ctx, f.file.Models)
	}
	if len(f.models)+len(out) == 0 {
		f.models = list{builtin.Name + "="}
	}
	for _, m := range f.models {
		name, dir, named := strings.Cut(m, "=")
		if !named {
			name, dir = filepath.Base(filepath.Clean(m)), m
		}
		if name == "" || named && dir == "" && m != builtin.Name+"=" {
			return nil, fmt.Errorf("%w: -m: want NAME=DIR, found %q", errUsage, m)
		}
		if dir == builtin.Name {
			dir = ""
		}
		flags := f.modelFlags
		flags.dir = dir
		src := serve.Source{Name: name, Key: fmt.Sprintf("%+v", flags)}
		if flags.isEncoder() {
			src.Encoder = func() (*model.Encoder, error) { return flags.openEncoder(stdio{err: s.err}) }
		} else {
			src.Open = func() (*model.Model, error) { return flags.open(ctx, stdio{err: s.err}, 0) }
		}
		out = append(out, src)
	}
	return out, nil
}

func serveCommand(ctx context.Context, s stdio, args []string) error {
	var f serveFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	shared := setup.New(log)
	defer shared.Close()
	ln, err := net.Listen("tcp", f.addr)
	if err != nil {
		return err
	}
	o, commit, err := f.options(ctx, s, shared, log)
	if err != nil {
		ln.Close()
		return err
	}
	host, err := serve.NewHost(o)
	if err != nil {
		ln.Close()
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err := commit(); err != nil {
		ln.Close()
		return errors.Join(err, host.Close())
	}
	fmt.Fprintf(s.err, "switchyard serves %s at http://%s/\n", strings.Join(names(o), ", "), ln.Addr())
	if f.config != "" {
		defer reloads(ctx, log, func() error { return reload(ctx, s, args, host, shared, log) })()
	}
	return host.Serve(ctx, ln, f.drain)
}

// names are the models that clients can ask for.
func names(o serve.Options) (list []string) {
	for _, m := range o.Models {
		list = append(list, m.Name)
	}
	if o.Mix != nil {
		for _, v := range o.Mix.Virtual {
			list = append(list, v.Name)
		}
	}
	return list
}
