package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/config"
	"github.com/seed2fbf7788/switchyard/serve/setup"
)

// configure reads the configuration file and sets the flags that it has and the command line has not.
func (f *serveFlags) configure(fs *flag.FlagSet) error {
	if f.config == "" {
		return nil
	}
	var err error
	if f.file, err = config.Read(f.config); err != nil {
		return err
	}
	c := f.file.Server
	given := map[string]bool{}
	fs.Visit(func(set *flag.Flag) { given[set.Name] = true })
	for key, value := range map[string]any{
		"addr": c.Addr, "keys": c.Keys, "no_auth": c.NoAuth, "parallel": c.Parallel, "max_queue": c.MaxQueue, "chunk": c.Chunk, "kv_tokens": c.KVTokens,
		"prefixes": !c.Prefixes, "max_body": c.MaxBody, "drain": c.Drain, "lazy": c.Lazy, "pprof": c.Pprof, "log_prompts": c.LogPrompts,
	} {
		name := strings.ReplaceAll(key, "_", "-")
		if key == "prefixes" {
			name = "no-prefixes"
		}
		if !c.Set[key] || given[name] {
			continue
		}
		if err := fs.Set(name, fmt.Sprint(value)); err != nil { // the reader of the file has checked it
			return fmt.Errorf("%s: server.%s: %w", f.config, key, err)
		}
	}
	return nil
}

// options are what the flags and the file make the server: all but the models is open. commit makes it count.
func (f *serveFlags) options(ctx context.Context, s stdio, shared *setup.Setup, log *slog.Logger) (o serve.Options, commit func() error, err error) {
	if f.opts.Models, err = f.sources(ctx, s); err != nil {
		return o, nil, err
	}
	f.opts.Log = log
	if f.file == nil {
		return f.opts, func() error { return nil }, nil
	}
	built, err := shared.Build(ctx, f.file)
	if err != nil {
		return o, nil, err
	}
	f.opts.Mix = built.Mix
	return f.opts, built.Commit, nil
}

// reloads calls reload on SIGHUP until ctx or the function it returns ends it. What fails leaves all as it was.
func reloads(ctx context.Context, log *slog.Logger, reload func() error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hup, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
			}
			if err := reload(); err != nil {
				told(log, err)
				continue
			}
			log.Info("configuration taken")
		}
	}()
	return func() { cancel(); <-done; signal.Stop(hup) }
}

// told logs why a configuration was not taken, a line a fault.
func told(log *slog.Logger, err error) {
	var faults config.Faults
	if !errors.As(err, &faults) {
		log.Error("configuration not taken, the old one stays", "error", err)
		return
	}
	for _, f := range faults {
		log.Error("configuration not taken, the old one stays", "fault", f.Error())
	}
}

// reload reads the file again and lets new requests meet it.
func reload(ctx context.Context, s stdio, args []string, host *serve.Host, shared *setup.Setup, log *slog.Logger) error {
	var f serveFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	o, commit, err := f.options(ctx, s, shared, log)
	if err != nil {
		return err
	}
	if err := host.Reload(ctx, o); err != nil {
		return err
	}
	return commit()
}
