package loader

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// The names of a Hugging Face folder.
const (
	configName     = "config.json"
	generationName = "generation_config.json"
	singleName     = "model.safetensors"
	indexName      = "model.safetensors.index.json"
)

// Checkpoint is an open Hugging Face folder: config.json, generation_config.json where there is one, and
// model.safetensors or the shards of model.safetensors.index.json; where both are there the single file counts, as in
// the reference. Safe for concurrent use, except Close.
type Checkpoint struct {
	folder     folder
	config     *Fields
	generation *Fields
	files      []*File
	where      map[string]*File // tensor name → its file
}

// FileInfo describes one safetensors file of a checkpoint.
type FileInfo struct {
	Name     string // the path for Open, the name inside the file system for OpenFS
	Size     int64  // bytes
	Tensors  int
	Metadata map[string]string
}

// Open opens the checkpoint in a folder. It maps the safetensors files and reads their headers and the configuration;
// the weights stay on disk until they are touched. Errors: [ErrNotModel], [ErrConfig], [ErrHeader], [ErrIndex], or what
// the operating system says.
func Open(dir string) (*Checkpoint, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, osFault(ErrNotModel, dir, err)
	}
	if !info.IsDir() {
		return nil, &Fault{Kind: ErrNotModel, File: dir, Want: "a model folder", Found: "a file"}
	}
	open := func(name string) (*File, error) { return OpenFile(filepath.Join(dir, name)) }
	return openFolder(folder{dir: dir, fsys: os.DirFS(dir), open: open})
}

// OpenFS opens a checkpoint inside a file system, such as an embedded model. Files are read whole. Errors are those of
// Open.
func OpenFS(fsys fs.FS) (*Checkpoint, error) {
	d := folder{fsys: fsys}
	d.open = func(name string) (*File, error) {
		data, err := d.read(name, int64(^uint(0)>>1))
		if err != nil {
			return nil, osFault(ErrHeader, name, err)
		}
		return ParseFile(name, data)
	}
	return openFolder(d)
}

func openFolder(d folder) (*Checkpoint, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	c := &Checkpoint{folder: d, where: map[string]*File{}}
	err := c.readConfigs()
	if err == nil {
		err = c.openWeights()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Checkpoint) readConfigs() (err error) {
	if c.config, err = c.folder.fields(configName); err != nil {
		return err
	}
	c.generation, err = c.folder.fields(generationName)
	if errors.Is(err, fs.ErrNotExist) {
		c.generation, err = ParseFields(c.folder.path(generationName), []byte("{}"))
	}
	return err
}

func (c *Checkpoint) openWeights() error {
	if c.folder.has(singleName) {
		return c.add(singleName)
	}
	data, err := c.folder.read(indexName, maxHeader)
	if err != nil {
		return osFault(ErrIndex, c.folder.path(indexName), err)
	}
	weights, err := parseIndex(c.folder.path(indexName), data)
	if err != nil {
		return err
	}
	shards := map[string]*File{}
	for _, shard := range shardsOf(weights) {
		if err := c.add(shard); err != nil {
			return c.shardFault(shard, err)
		}
		shards[shard] = c.files[len(c.files)-1]
	}
	return checkIndex(c.folder.path(indexName), weights, shards).err()
}

// shardFault says for a shard that is not there that the index asked for it.
func (c *Checkpoint) shardFault(shard string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &Fault{Kind: ErrIndex, File: c.folder.path(indexName), Field: "weight_map",
		Want: "shard " + clean(shard), Err: fs.ErrNotExist}
}

func (c *Checkpoint) add(name string) error {
	f, err := c.folder.open(name)
	if err != nil {
		return err
	}
	c.files = append(c.files, f)
	for name := range f.entries {
		c.where[name] = f
	}
	return nil
}

// Config is a fresh reader over config.json, with no faults yet.
func (c *Checkpoint) Config() *Fields { return c.config.fresh() }

// GenerationConfig is a fresh reader over generation_config.json; an empty object where the folder has none.
func (c *Checkpoint) GenerationConfig() *Fields { return c.generation.fresh() }

// Tensor is a view of a tensor; see [File.Tensor].
func (c *Checkpoint) Tensor(name string) (*tensor.Tensor, bool) {
	f, ok := c.where[name]
	if !ok {
		return nil, false
	}
	return f.Tensor(name)
}

// Names lists all tensors, sorted.
func (c *Checkpoint) Names() []string { return slices.Sorted(maps.Keys(c.where)) }

// Dir is the folder as given to Open; empty for OpenFS.
func (c *Checkpoint) Dir() string { return c.folder.dir }

// Files describes the safetensors files, sorted by name.
func (c *Checkpoint) Files() []FileInfo {
	var list []FileInfo
	for _, f := range c.files {
		list = append(list, FileInfo{Name: f.name, Size: f.Size(), Tensors: len(f.entries), Metadata: f.Metadata()})
	}
	slices.SortFunc(list, func(a, b FileInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Metadata merges the metadata of all files; the first file by name wins.
func (c *Checkpoint) Metadata() map[string]string {
	all := map[string]string{}
	for _, f := range slices.Backward(c.files) {
		maps.Copy(all, f.meta)
	}
	return all
}

// ReadFile reads another file of the folder whole, such as tokenizer.json: at most 256 MiB. It wraps fs.ErrNotExist
// where there is none.
func (c *Checkpoint) ReadFile(name string) ([]byte, error) {
	data, err := c.folder.read(name, 256<<20)
	if err != nil {
		return nil, osFault(ErrNotModel, c.folder.path(name), err)
	}
	return data, nil
}

// Close unmaps the files: every view is dead. A second Close does nothing.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	c.files, c.where = nil, nil
	return errors.Join(errs...)
}
