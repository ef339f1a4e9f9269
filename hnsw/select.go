package hnsw

type selection struct{}
type levelPlan struct{}
