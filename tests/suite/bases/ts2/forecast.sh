#!/bin/sh
# Forecasts of the test steps: forecast.sh SEED FOLDER
set -e
mkdir -p "$2"
python -m echo.run --config conf/model.ini --seed "$1" --out "$2/forecast.csv"
