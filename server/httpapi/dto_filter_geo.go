package httpapi

import (
	"fmt"

	"github.com/isobath/isobath/filter"
)

func (p *placeBody) place() (filter.GeoPoint, error) {
	if p == nil || p.Lon == nil || p.Lat == nil {
		return filter.GeoPoint{}, formatError("a place needs `lon` and `lat`")
	}
	if *p.Lat < -90 || *p.Lat > 90 || *p.Lon < -180 || *p.Lon > 180 {
		return filter.GeoPoint{}, formatError("Wrong GeoPoint value: lat=%v lon=%v, lat must be in -90..90 and lon in -180..180", *p.Lat, *p.Lon)
	}
	return filter.GeoPoint{Lon: *p.Lon, Lat: *p.Lat}, nil
}

func radiusExpr(field string, b *radiusBody) (filter.Expr, error) {
	center, err := b.Center.place()
	if err == nil && b.Radius == nil {
		err = formatError("missing field `radius`")
	}
	if err != nil {
		return nil, err
	}
	return filter.GeoRadius{Field: field, Center: center, Radius: *b.Radius}, nil
}

func boxExpr(field string, b *boxBody) (filter.Expr, error) {
	topLeft, err := b.TopLeft.place()
	if err != nil {
		return nil, err
	}
	bottomRight, err := b.BottomRight.place()
	return filter.GeoBox{Field: field, TopLeft: topLeft, BottomRight: bottomRight}, err
}

func polygonExpr(field string, b *polygonBody) (filter.Expr, error) {
	e := filter.GeoPolygon{Field: field}
	if b.Exterior == nil {
		return nil, formatError("missing field `exterior`")
	}
	var err error
	if e.Exterior, err = b.Exterior.ring(); err != nil {
		return nil, err
	}
	for i := range b.Interiors {
		ring, err := b.Interiors[i].ring()
		if err != nil {
			return nil, err
		}
		e.Interiors = append(e.Interiors, ring)
	}
	return e, nil
}

func (b *ringBody) ring() ([]filter.GeoPoint, error) {
	ring := make([]filter.GeoPoint, len(b.Points))
	for i := range b.Points {
		p, err := b.Points[i].place()
		if err != nil {
			return nil, fmt.Errorf("polygon: %w", err)
		}
		ring[i] = p
	}
	if len(ring) < 4 {
		return nil, formatError("polygon invalid, the size must be at least 4, got %d", len(ring))
	}
	if ring[0] != ring[len(ring)-1] {
		return nil, formatError("polygon invalid, the first and the last points should be the same to form a closed line")
	}
	return ring, nil
}
