"""kills - kill -9 of the leader in a loop under load, the one story that two
tests tell, a short and a long one."""
from support.load import Load
from support.scenario import eventually


def kill_leaders(cluster, times, clients=8):
    """Kill, wait for the next leader, restart, and go on; then judge."""
    load = Load(cluster.servers, clients).start()
    load.wait_more(50)
    for turn in range(times):
        leader = cluster.leader()
        leader.kill()
        # More than were on their way to the dead one.
        load.wait_more(clients + 20)
        leader.start()
        cluster.check_alive()
        eventually(20, lambda one=leader: joined(one),
                   "%s is back (kill %d)" % (leader.name, turn + 1))
    load.stop()
    cluster.wait_ready(20)
    total = load.check(cluster[0])
    for server in cluster:
        load.check(server)
    cluster.same_state()
    print("    %d writes acknowledged, %d there, %d unknown, %d refused; "
          "longest gap %.2f s, slowest write %.2f s" % (
              load.count(), total, len(load.unknown), len(load.refused),
              load.longest_gap, load.slowest))
    return load


def joined(server):
    """It follows a leader and is not far behind."""
    stats = server.stats()
    raft = stats["raft"]
    return stats["consul"]["leader_addr"] and \
        int(raft["commit_index"]) > 0 and \
        int(raft["commit_index"]) - int(raft["applied_index"]) < 100
