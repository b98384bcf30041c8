"""Mesos as a framework and an operator see it: facts, the scheduler API, what agents tell over HTTP."""
