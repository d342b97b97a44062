package loader

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// parseIndex reads model.safetensors.index.json: tensor name → shard file name. Shards are plain file names in the
// folder: anything that could lead out of it is refused by its spelling, before it is looked up.
func parseIndex(file string, data []byte) (map[string]string, error) {
	weights, found := map[string]string{}, false
	err := scanObject(data, func(s *scan, key string) error {
		if key != "weight_map" {
			_, err := s.value()
			return err
		}
		found = true
		return s.object(func(name string) error {
			shard, err := s.str()
			if err != nil {
				return fmt.Errorf("weight_map %q: %w", clean(name), err)
			}
			weights[name] = shard
			return plainName(name, shard)
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("weight_map: missing")
	}
	if err != nil {
		return nil, &Fault{Kind: ErrIndex, File: file, Found: err.Error()}
	}
	return weights, nil
}

func plainName(tensor, shard string) error {
	if shard == "" || shard == "." || strings.ContainsAny(shard, "/\\:\x00") || !filepath.IsLocal(shard) {
		return fmt.Errorf("weight_map %q: want a file name inside the folder, found %q", clean(tensor), clean(shard))
	}
	return nil
}

// shardsOf lists the shard files of an index, sorted.
func shardsOf(weights map[string]string) []string {
	set := map[string]struct{}{}
	for _, shard := range weights {
		set[shard] = struct{}{}
	}
	return slices.Sorted(maps.Keys(set))
}

// checkIndex compares the index with what the shards really hold, both ways. Since every tensor then lies in exactly
// the shard the index names, no two shards can hold the same one.
func checkIndex(index string, weights map[string]string, shards map[string]*File) Faults {
	var faults Faults
	add := func(field, want, found string) {
		faults = append(faults, &Fault{Kind: ErrIndex, File: index, Field: field, Want: want, Found: found})
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := shards[weights[name]].entries[name]; !ok {
			add(name, "a tensor in "+weights[name], "none there")
		}
	}
	for _, shard := range slices.Sorted(maps.Keys(shards)) {
		for _, name := range shards[shard].Names() {
			switch listed, ok := weights[name]; {
			case !ok:
				add(name, "an entry for the tensor in "+shard, "none")
			case listed != shard:
				add(name, "the tensor in "+listed+" only", "it in "+shard+" too")
			}
		}
	}
	return faults
}
