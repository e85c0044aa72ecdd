"""Trials in a MongoDB, where many jobs meet: the store, its server, its archive, and n3fit's `MongoFileTrials`."""
