package main

// armRoom is a room of arm64 kernels: what neon has, and what neondot has of its own.
type armRoom struct {
	name string
	neon []func(f *arm)
	dot  func(f *arm)
}

var armRooms = []armRoom{
	{name: "tile", neon: []func(*arm){armTiles}},
	{name: "packed", neon: []func(*arm){func(f *arm) { armPanels(f, false) }}, dot: func(f *arm) { armPanels(f, true) }},
	{name: "quant", neon: []func(*arm){armQuant}},
	{name: "pack", neon: []func(*arm){armPack}},
	{name: "element", neon: []func(*arm){armElementRoom, armConvertRoom}},
	{name: "act", neon: []func(*arm){armActRoom}},
	{name: "fold", neon: []func(*arm){armFoldRoom, armSoftmaxRoom}},
	{name: "attention", neon: []func(*arm){armScoresRoom, armMixRoom, armColsRoom}},
	{name: "limit", neon: []func(*arm){armLimits}, dot: armLimitsDot},
}

// armFiles adds the arm64 files to out. The package's level files say which kernels a level has.
func armFiles(out map[string]string) {
	for _, r := range armRooms {
		d := &decls{}
		f := newArm(r.name, "NEON", d)
		for _, emit := range r.neon {
			emit(f)
		}
		out[r.name+"_neon_arm64.s"] = f.text()
		if r.dot != nil {
			f = newArm(r.name, "NEONDot", d)
			r.dot(f)
			out[r.name+"_neondot_arm64.s"] = f.text()
		}
		out[r.name+"_arm64.go"] = d.text()
	}
}
