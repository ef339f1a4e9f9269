package distance

func machineLevels() []*kernels { return nil }
