package setup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/serve/config"
)

// router is an open router and how many configurations have it.
type router struct {
	route.Labeller
	close func() error
	users int
}

// routers opens each router, or takes the one that is open.
func (b *builder) routers(ctx context.Context) {
	for i := range b.c.Routers {
		c := &b.c.Routers[i]
		key := b.key(c)
		r, err := b.s.take(key, func() (*router, error) { return b.openRouter(ctx, c) })
		if err != nil {
			b.fault(c.At, "a router of kind "+c.Kind, err.Error())
			continue
		}
		b.labellers[c.Name] = r.Labeller
		b.built.close = append(b.built.close, func() error { return b.s.give(key) })
	}
}

// key is what a router is opened from: its settings and the state of its files.
func (b *builder) key(c *config.Router) string {
	plain := *c
	plain.Name, plain.At, plain.ExampleAt = "", config.Pos{}, config.Pos{}
	dirs := []string{c.Dir}
	if m := b.model(c.Encoder); m != nil {
		dirs = append(dirs, m.Dir)
	}
	var times []string
	for _, d := range dirs {
		files, _ := filepath.Glob(filepath.Join(d, "*.safetensors"))
		for _, f := range files {
			if st, err := os.Stat(f); err == nil {
				times = append(times, f, st.ModTime().String(), fmt.Sprint(st.Size()))
			}
		}
	}
	text, _ := json.Marshal([]any{plain, times})
	return string(text)
}

func (b *builder) model(name string) *config.Model {
	for i := range b.c.Models {
		if b.c.Models[i].Name == name && name != "" {
			return &b.c.Models[i]
		}
	}
	return nil
}

// take gives the router of a key, opened where it is not.
func (s *Setup) take(key string, open func() (*router, error)) (*router, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.routers[key]
	if r == nil {
		var err error
		if r, err = open(); err != nil {
			return nil, err
		}
		s.routers[key] = r
	}
	r.users++
	return r, nil
}

// give gives a router up; the last one closes it.
func (s *Setup) give(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.routers[key]
	if r.users--; r.users > 0 {
		return nil
	}
	delete(s.routers, key)
	return r.close()
}

func (b *builder) openRouter(ctx context.Context, c *config.Router) (*router, error) {
	switch c.Kind {
	case config.KindExperts:
		return openExperts()
	case config.KindDifficulty:
		return openDifficulty(c)
	case config.KindClassifier:
		k, err := learn.OpenClassifier(c.Dir, model.Options{Quant: c.Quant})
		if err != nil {
			return nil, err
		}
		if c.HasLimit {
			k.Threshold = c.Threshold
		}
		return &router{&route.ClassLabels{Classifier: k}, k.Close, 0}, nil
	}
	return b.openExamples(ctx, c)
}

func openExperts() (*router, error) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	if err != nil {
		return nil, err
	}
	k, err := route.BuiltinKinds(m)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &router{&route.KindLabels{Kinds: k}, m.Close, 0}, nil
}

func openDifficulty(c *config.Router) (*router, error) {
	encoder, err := route.NeedsEncoder(c.Dir)
	if err != nil {
		return nil, err
	}
	var src route.Source
	var closer io.Closer
	if encoder {
		src.Encoder, err = model.OpenEncoder(filepath.Join(c.Dir, route.EncoderDir), model.Options{Quant: c.Quant})
		closer = src.Encoder
	} else {
		src.Mixture, err = model.OpenFS(builtin.FS(), model.Options{})
		closer = src.Mixture
	}
	if err != nil {
		return nil, err
	}
	d, err := route.Open(c.Dir, src)
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	l := &route.DifficultyLabels{Difficulty: d, Threshold: d.Threshold(c.Share)}
	if c.HasLimit {
		l.Threshold = c.Threshold
	}
	return &router{l, closer.Close, 0}, nil
}

func (b *builder) openExamples(ctx context.Context, c *config.Router) (*router, error) {
	m := b.model(c.Encoder)
	e, err := model.OpenEncoder(m.Dir, model.Options{Quant: cmp.Or(c.Quant, m.Quant), Threads: m.Threads, Level: m.Level})
	if err != nil {
		return nil, err
	}
	limit := route.DefaultSimilarity
	if c.HasLimit {
		limit = c.Threshold
	}
	x, err := route.NewExamples(ctx, e, c.Labels, c.Examples, limit)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return &router{x, e.Close, 0}, nil
}
