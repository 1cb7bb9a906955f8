#!/bin/bash
# launch.sh COMPILER ARGUMENT... SOURCE: compile through ccache; what neither decodes pixels nor computes with them or
# with coordinates, for size.
case "${!#}" in
  */src/gdal/frmts/vrt/* | */src/gdal/frmts/hfa/*) small=1 ;;
  */src/gdal/alg/* | */src/gdal/gcore/* | */src/gdal/frmts/*) small= ;;
  */src/proj/src/projections/* | */src/proj/src/transformations/* | */src/proj/src/conversions/*) small= ;;
  *) small=1 ;;
esac
[ -n "$small" ] && set -- "${@/#-O2/-Os}"
exec ccache "$@"
