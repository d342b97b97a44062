package loader

import "embed"

// FromMemory makes a checkpoint of a configuration, the text of a config.json, and of tensors that lie in memory. The
// tensors are views of what was given, which must not change. Errors: [ErrConfig], [ErrTensor].
func FromMemory(config []byte, tensors []Named) (*Checkpoint, error) {
	c := &Checkpoint{folder: folder{fsys: embed.FS{}}, where: map[string]*File{}}
	var err error
	if c.config, err = ParseFields(configName, config); err != nil {
		return nil, err
	}
	if c.generation, err = ParseFields(generationName, []byte("{}")); err != nil {
		return nil, err
	}
	f := &File{name: "memory", entries: map[string]*entry{}}
	seen := map[string]bool{}
	for _, t := range tensors {
		if _, err := sizeOf(t, seen); err != nil {
			return nil, err
		}
		seen[t.Name] = true
		f.entries[t.Name] = &entry{name: t.Name, dtype: t.Tensor.DType, shape: t.Tensor.Shape, own: t.Tensor.Data}
		c.where[t.Name] = f
	}
	c.files = []*File{f}
	return c, nil
}

// bytes finds the data of a tensor: its part of the file, or what it was given from memory.
func (f *File) bytes(e *entry) []byte {
	if e.own != nil {
		return e.own
	}
	return f.data[f.start+e.begin : f.start+e.end : f.start+e.end]
}
