package main

// armFiles adds the arm64 files to out. The package's level files say which kernels a level has.
func armFiles(out map[string]string) {
	for _, r := range []struct {
		room string
		emit map[string]func(f *arm) // by suffix
	}{
		{"tile", map[string]func(*arm){"NEON": armTiles}},
		{"packed", map[string]func(*arm){"NEON": func(f *arm) { armPanels(f, false); armQuant(f) }, "NEONDot": func(f *arm) { armPanels(f, true) }}},
	} {
		d := &decls{}
		for _, isa := range []struct{ file, suffix string }{{"neon", "NEON"}, {"neondot", "NEONDot"}} {
			emit := r.emit[isa.suffix]
			if emit == nil {
				continue
			}
			f := newArm(r.room, isa.suffix, d)
			emit(f)
			out[r.room+"_"+isa.file+"_arm64.s"] = f.text()
		}
		out[r.room+"_arm64.go"] = d.text()
	}
}
